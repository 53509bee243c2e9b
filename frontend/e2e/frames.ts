/** How smoothly a page runs while something is done with it: its frames, its long tasks, and how soon it answers a hand. */
import type { Page } from '@playwright/test';

interface Recording {
  readonly frames: number[];
  readonly tasks: number[];
  readonly answers: number[];
}

export interface Smoothness {
  /** Milliseconds between two frames: half of them, 95 of 100, the longest. */
  readonly p50: number;
  readonly p95: number;
  readonly longest: number;
  /** Tasks of more than 50 ms, in which nothing else could happen. */
  readonly longTasks: number;
  readonly longestTask: number;
  /** From a key or click to the frame that shows what came of it (Event Timing), the slowest; 0 without one of 16 ms. */
  readonly answer: number;
}

type Recorder = Window & { spiralRecording?: Recording & { stop: () => void } };

/** Records while `during` runs. */
export async function record(page: Page, during: () => Promise<void>): Promise<Smoothness> {
  await page.evaluate(() => {
    const frames: number[] = [];
    const tasks: number[] = [];
    const answers: number[] = [];
    let last: number | null = null;
    let handle = requestAnimationFrame(function each(now) {
      if (last !== null) frames.push(now - last);
      last = now;
      handle = requestAnimationFrame(each);
    });
    const longTasks = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) tasks.push(duration);
    });
    longTasks.observe({ type: 'longtask' });
    const events = new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { interactionId?: number })[]) {
        if ((entry.interactionId ?? 0) > 0) answers.push(entry.duration);
      }
    });
    events.observe({ type: 'event', durationThreshold: 16 } as PerformanceObserverInit);
    const stop = () => {
      cancelAnimationFrame(handle);
      longTasks.disconnect();
      events.disconnect();
    };
    (window as Recorder).spiralRecording = { frames, tasks, answers, stop };
  });
  await during();
  const { frames, tasks, answers } = await page.evaluate(async () => {
    const recording = (window as Recorder).spiralRecording;
    if (recording === undefined) throw new Error('the page was loaded anew meanwhile');
    // An event is told of after the frame that shows its effect.
    await new Promise((resolve) => setTimeout(resolve, 300));
    recording.stop();
    return { frames: recording.frames, tasks: recording.tasks, answers: recording.answers };
  });
  return {
    p50: percentile(frames, 50),
    p95: percentile(frames, 95),
    longest: Math.max(0, ...frames),
    longTasks: tasks.length,
    longestTask: Math.max(0, ...tasks),
    answer: Math.max(0, ...answers),
  };
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0;
}
