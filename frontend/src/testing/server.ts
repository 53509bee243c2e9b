/** The mock API. Handlers are typed by the OpenAPI document: a mock that the real API could not send does not compile. */
import { setupServer } from 'msw/node';
import { createOpenApiHttp } from 'openapi-msw';
import type { paths } from '../api/schema.gen';

export const server = setupServer();
export const api = createOpenApiHttp<paths>({ baseUrl: window.location.origin });
