/**
 * Reads from a function's JSON Schema what a form for its input has to ask for. Pure.
 *
 * Own code rather than a library: those that make forms from any JSON Schema check with a validator that compiles by
 * `eval`, which the pages' content security policy forbids. Here the server checks; what no field kind fits is JSON.
 */

/** `words`: texts without blanks, as a list. */
export type FieldKind = 'text' | 'integer' | 'number' | 'choice' | 'flag' | 'time' | 'words' | 'json';

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  readonly description: string;
  readonly required: boolean;
  /** What the function takes when the field is left out; undefined when the schema does not say. */
  readonly preset: unknown;
  readonly choices: readonly string[];
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly maxLength: number | null;
}

/** A field that asks for nothing in particular. */
export const BARE_FIELD: Omit<Field, 'name' | 'kind' | 'description'> = {
  required: false,
  preset: undefined,
  choices: [],
  minimum: null,
  maximum: null,
  maxLength: null,
};

type Schema = Readonly<Record<string, unknown>>;

function asSchema(value: unknown): Schema | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : null;
}

/** The fields of an object, the required ones first; null when the input is no object with known fields. */
export function fieldsOf(schema: unknown): readonly Field[] | null {
  const root = asSchema(schema);
  const properties = asSchema(root?.properties);
  if (root?.type !== 'object' || properties === null || Object.keys(properties).length === 0) return null;
  const required = Array.isArray(root.required) ? root.required : [];
  const fields = Object.entries(properties).map(([name, field]) => fieldOf(name, asSchema(field) ?? {}, required.includes(name)));
  return fields.sort((a, b) => Number(b.required) - Number(a.required));
}

function fieldOf(name: string, schema: Schema, required: boolean): Field {
  return {
    name,
    kind: kindOf(schema),
    description: typeof schema.description === 'string' ? schema.description.replaceAll('\n', ' ').replaceAll('`', '') : '',
    required,
    preset: schema.default,
    choices: choicesOf(schema) ?? [],
    minimum: numberOf(schema.minimum),
    maximum: numberOf(schema.maximum),
    maxLength: numberOf(schema.maxLength),
  };
}

function kindOf(schema: Schema): FieldKind {
  if (choicesOf(schema) !== null) return 'choice';
  // `["string", "null"]` is a text that may be missing.
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter((type) => type !== 'null');
  if (types.length !== 1) return 'json';
  switch (types[0]) {
    case 'string':
      return schema.format === 'date-time' ? 'time' : 'text';
    case 'integer':
      return 'integer';
    case 'number':
      return 'number';
    case 'boolean':
      return 'flag';
    default:
      return 'json';
  }
}

function choicesOf(schema: Schema): readonly string[] | null {
  const { enum: values } = schema;
  return Array.isArray(values) && values.every((value) => typeof value === 'string') ? values : null;
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
