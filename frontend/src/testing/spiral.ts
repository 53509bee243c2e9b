/** A small Spiral behind the mock API: answers what every page asks for, and an event stream that the test writes to. */
import { http, HttpResponse } from 'msw';
import type { Failure, FunctionInfo, Health, IndexSeen, Job, JobAction, JobDetail, JobPatch, LogLine, Queue, Readiness, Session, Worker } from '../api/types';
import { stringifyExact } from '../exact-json';
import { overview, stats } from './overview';
import { queue } from './queues';
import { EVERYBODY } from './sessions';
import { api, server } from './server';

export interface Spiral {
  /** Those with attempts are told with them when one of them is read. */
  jobs: (Job | JobDetail)[];
  /** What jobs have logged, by their ids. */
  logs: Record<string, LogLine[]>;
  /** What this build can run. */
  functions: FunctionInfo[];
  indices: IndexSeen[];
  queues: Queue[];
  /** Actions on many jobs. */
  actions: JobAction[];
  failures: Failure[];
  workers: Worker[];
  /** What is to be set right before it costs jobs. */
  warnings: string[];
  values: Record<string, string>;
  /** Who one is. */
  session: Session;
  /** Requests for the event stream so far, with the id that each resumed after. */
  readonly resumed: (string | null)[];
  readonly send: (patch: JobPatch) => void;
  readonly refresh: () => void;
  readonly cut: () => void;
}

const POLICY = { queue: 'default', max_attempts: 3, timeout_seconds: 60 };

const FUNCTIONS: FunctionInfo[] = [
  { ...POLICY, name: 'echo', description: 'Returns its input.', input_schema: true, output_schema: true },
  {
    ...POLICY,
    name: 'fibonacci',
    description: 'Fibonacci numbers.',
    input_schema: {
      type: 'object',
      required: ['index'],
      properties: { index: { type: 'integer', minimum: 0, maximum: 10_000_000 } },
    },
    output_schema: { type: 'string' },
  },
];

export function startSpiral(): Spiral {
  const encoder = new TextEncoder();
  let stream: ReadableStreamDefaultController<Uint8Array> | null = null;
  let sequence = 0;
  const write = (event: string, data: unknown) => {
    sequence += 1;
    stream?.enqueue(encoder.encode(`id: default:${sequence}-0\nevent: ${event}\ndata: ${stringifyExact(data)}\n\n`));
  };
  const spiral: Spiral = {
    jobs: [],
    logs: {},
    functions: FUNCTIONS,
    indices: [],
    queues: [queue('default')],
    actions: [],
    failures: [],
    workers: [],
    warnings: [],
    values: {},
    session: EVERYBODY,
    resumed: [],
    send: (patch) => {
      write('job', patch);
    },
    refresh: () => {
      write('refresh', { reason: 'bulk' });
    },
    cut: () => {
      stream?.close();
      stream = null;
    },
  };

  server.use(
    api.get('/api/v1/functions', ({ response }) =>
      response(200).json({
        functions: spiral.functions,
      }),
    ),
    api.get('/api/v1/jobs', ({ request, response }) => {
      const state = new URL(request.url).searchParams.get('state');
      const jobs = spiral.jobs.filter((job) => state === null || job.state === state);
      return response(200).json({ jobs, next_cursor: null });
    }),
    api.get('/api/v1/jobs/actions', ({ response }) => response(200).json({ actions: spiral.actions })),
    api.get('/api/v1/jobs/{id}', ({ params, response }) => {
      const job = spiral.jobs.find(({ id }) => id === params.id);
      return job === undefined ? response.untyped(HttpResponse.json({}, { status: 404 })) : response(200).json({ attempts: [], history: [], waiting: null, ...job });
    }),
    api.get('/api/v1/jobs/{id}/logs', ({ params, response }) =>
      response(200).json({ lines: spiral.logs[params.id] ?? [] }),
    ),
    api.get('/api/v1/failures', ({ response }) => response(200).json({ failures: spiral.failures })),
    api.get('/api/v1/workers', ({ response }) => response(200).json({ workers: spiral.workers })),
    api.get('/api/v1/session', ({ response }) => response(200).json(spiral.session)),
    api.get('/api/v1/queues', ({ response }) => response(200).json({ queues: spiral.queues })),
    api.get('/api/v1/overview', ({ response }) => response(200).json(overview())),
    api.get('/api/v1/stats', ({ response }) => response(200).json(stats([]))),
    api.get('/api/values/all', ({ response }) => response(200).json({ indices: spiral.indices })),
    api.get('/api/values/current', ({ response }) => response(200).json(spiral.values)),
    // Not through the typed one: the document knows it without the /api before it.
    http.get('*/api/readyz', () =>
      HttpResponse.json({ status: 'ready', checks: [], warnings: spiral.warnings } satisfies Readiness),
    ),
    http.get('*/api/healthz', () =>
      HttpResponse.json({ status: 'ok', version: '1.2.3', commit: '0123456789abcdef', uptime_seconds: 1 } satisfies Health),
    ),
    // Not through the typed one: the document calls the stream a string.
    http.get('*/api/v1/events', ({ request }) => {
      spiral.resumed.push(request.headers.get('Last-Event-ID'));
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          stream = controller;
          controller.enqueue(encoder.encode('retry: 10\n\n'));
        },
      });
      return new HttpResponse(body, { headers: { 'content-type': 'text/event-stream' } });
    }),
  );
  return spiral;
}
