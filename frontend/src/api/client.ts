/** The one way to the HTTP API: typed by the OpenAPI document, errors as ApiError. The browser sends the session by itself. */
import createClient from 'openapi-fetch';
import { parseAnswer, stringifyExact } from '../exact-json';
import { reachedAt } from './base-path';
import { problemOf, unreachable } from './problem';
import { tellRefusal } from './refusals';
import type { paths } from './schema.gen';

/** `fetch` that tells when the API wanted to know who one is. */
export async function apiFetch(request: Request): Promise<Response> {
  const response = await fetch(request);
  if (response.status === 401) tellRefusal();
  return response;
}

/** Absolute, because Request wants that outside a browser (the tests). */
export function apiUrl(path: string): string {
  return new URL(reachedAt(path), window.location.origin).href;
}

export const client = createClient<paths>({
  baseUrl: `${window.location.origin}${reachedAt('')}`,
  bodySerializer: (body) => stringifyExact(body),
  fetch: async (request) => {
    try {
      return withExactJson(await apiFetch(request));
    } catch (error) {
      if (request.signal.aborted) throw error;
      throw unreachable();
    }
  },
});

/** The client asks for `json()` where it knows the length of a body, and parses the text itself where it does not. */
function withExactJson(response: Response): Response {
  const headers = new Headers(response.headers);
  if (!headers.has('Content-Length')) headers.set('Content-Length', 'unknown');
  const json = async () => {
    const text = await response.text();
    return text === '' ? undefined : parseAnswer(text);
  };
  return Object.defineProperties(response, { headers: { value: headers }, json: { value: json } });
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a good answer; throws an ApiError for any other. */
export function unwrap<T>({ data, error, response }: Answer<T>): T {
  if (!response.ok) throw problemOf(response.status, error);
  if (data === undefined) throw unreachable();
  return data;
}
