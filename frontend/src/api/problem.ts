/** What a failed call throws: the problem+json body when the server sent one, a plain sentence when nothing answered. */
import type { Problem } from './types';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status; 0 when there was no answer at all. */
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;
  private readonly fields: ReadonlyMap<string, string>;

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code ?? 'unknown';
    this.requestId = problem.request_id ?? null;
    this.fields = new Map((problem.errors ?? []).map((error) => [error.field, error.message]));
  }

  /** The message for one field of the input, by JSON pointer: `/input/index`. */
  field(pointer: string): string | null {
    return this.fields.get(pointer) ?? null;
  }

  /** Every message, by JSON pointer. */
  get fieldErrors(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.fields);
  }

  /** Worth trying again without changing anything. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function unreachable(): ApiError {
  return new ApiError(0, {
    code: 'unreachable',
    detail: 'Spiral did not answer. Check that it is running and that you are online.',
  });
}

/** Anything that was thrown, as an ApiError. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : unreachable();
}

/** Reads whatever a proxy or the API sent as an error body. */
export function problemOf(status: number, body: unknown): ApiError {
  return new ApiError(status, typeof body === 'object' && body !== null ? body : {});
}
