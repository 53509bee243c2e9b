/** Runs at once, then at most every `ms`; calls in between become one more run at the end. */
export function throttle(ms: number, run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let again = false;
  const tick = () => {
    if (!again) {
      timer = undefined;
      return;
    }
    again = false;
    timer = setTimeout(tick, ms);
    run();
  };
  return () => {
    again = true;
    if (timer === undefined) tick();
  };
}
