/** Reads from a function's JSON Schema what the form needs to know about one whole-number field. */

export interface WholeNumberField {
  readonly minimum: number;
  /** null when the schema sets no upper limit. */
  readonly maximum: number | null;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

export function wholeNumberField(schema: unknown, name: string): WholeNumberField {
  const field = member(member(schema, 'properties'), name);
  const minimum = member(field, 'minimum');
  const maximum = member(field, 'maximum');
  return {
    minimum: typeof minimum === 'number' ? minimum : 0,
    maximum: typeof maximum === 'number' ? maximum : null,
  };
}
