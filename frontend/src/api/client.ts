/** The one way to the HTTP API: typed by the OpenAPI document, with the access token, errors as ApiError. */
import createClient from 'openapi-fetch';
import { problemOf, unreachable } from './problem';
import type { paths } from './schema.gen';
import { askForToken, currentToken } from './token';

function withToken(request: Request, token: string | null): Request {
  if (token !== null) request.headers.set('Authorization', `Bearer ${token}`);
  return request;
}

/** `fetch` that sends the access token and, when it is refused, asks for one and tries again. */
export async function authorizedFetch(request: Request): Promise<Response> {
  const again = request.clone();
  const token = currentToken();
  const response = await fetch(withToken(request, token));
  if (response.status !== 401) return response;
  await askForToken(token);
  return authorizedFetch(again);
}

/** Absolute, because Request wants that outside a browser (the tests). */
export function apiUrl(path: string): string {
  return new URL(path, window.location.origin).href;
}

export const client = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: async (request) => {
    try {
      return await authorizedFetch(request);
    } catch (error) {
      if (request.signal.aborted) throw error;
      throw unreachable();
    }
  },
});

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
