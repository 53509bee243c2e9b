/** The chart itself, with a canvas that takes everything: what its legend and its axis say. */
import { MantineProvider } from '@mantine/core';
import { render } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { setTimeZone } from '../../components/preferences';
import { point, stats } from '../../testing/overview';
import Chart from './chart';
import { CHARTS } from './chart-series';

let drawn: string[] = [];

/** A class whose methods do nothing. */
function withNothing(...methods: readonly string[]) {
  const nothing = () => undefined;
  return function Nothing() {
    return Object.fromEntries(methods.map((method) => [method, nothing]));
  };
}

beforeEach(() => {
  drawn = [];
  const pencil: Record<string, unknown> = new Proxy(
    { measureText: () => ({ width: 10 }), fillText: (text: string) => drawn.push(text) },
    { get: (target: Record<string, unknown>, name: string) => target[name] ?? (() => undefined), set: () => true },
  );
  vi.spyOn(HTMLCanvasElement.prototype, 'getContext').mockReturnValue(pencil as unknown as null);
  vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(900);
  vi.stubGlobal('ResizeObserver', withNothing('observe', 'disconnect'));
  vi.stubGlobal('Path2D', withNothing('rect', 'moveTo', 'lineTo', 'arc', 'addPath'));
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function shown(changes: Parameters<typeof stats>[0]) {
  const [throughput] = CHARTS;
  if (throughput === undefined) throw new Error('there is no chart');
  const of = { ...stats(changes), total: point({ enqueued: 1017, completed: 0 }) };
  return render(
    <MantineProvider>
      <Chart chart={throughput} stats={of} />
    </MantineProvider>,
  );
}

function at(hour: number) {
  return new Date(Date.UTC(2026, 0, 2, hour)).toISOString();
}

test('while nobody points at a time the legend tells of the whole range', async () => {
  const { container } = shown([point({ at: at(3), enqueued: 1000 }), point({ at: at(4), enqueued: 17 })]);
  await vi.waitFor(() => {
    const rows = [...container.querySelectorAll('.u-series')].map((row) => row.textContent);
    expect(rows).toEqual(['Timeall', 'New jobs1,017', 'Completed0']);
  });
});

test('the axis is in the chosen zone, and its lines stand at full and half hours there', async () => {
  setTimeZone('Asia/Kathmandu');
  shown([point({ at: at(3) }), point({ at: at(9) })]);
  await vi.waitFor(() => {
    expect(drawn).toContain('12:00');
  });
  expect(drawn.filter((text) => /^\d\d:\d\d$/u.test(text) && !/:(?:00|30)$/u.test(text))).toEqual([]);
});
