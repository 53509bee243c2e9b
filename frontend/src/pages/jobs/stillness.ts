/** When the list stands still by itself: rows must not move under somebody's eyes or hand, however many jobs come in. */
import { useEffect, useState, type RefObject } from 'react';
import { holdLive } from '../../api/hold';

/** Rows that are scrolled past: with fewer one still looks at the newest. */
const PAST_PIXELS = 160;
/** After a movement of the pointer over the rows, or a key among them. */
const QUIET_MS = 5000;

const HANDS = ['pointermove', 'pointerdown', 'keydown', 'focusin'] as const;

/** Says whether somebody reads further down; while they do, and while a hand is at the rows, the list is held. */
export function useStillness(table: RefObject<HTMLElement | null>): boolean {
  const [further, setFurther] = useState(false);
  useEffect(() => {
    const onScroll = () => {
      setFurther((table.current?.getBoundingClientRect().top ?? 0) < -PAST_PIXELS);
    };
    window.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      window.removeEventListener('scroll', onScroll);
    };
  }, [table]);
  useEffect(() => (further ? holdLive() : undefined), [further]);

  useEffect(() => {
    const element = table.current;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let release: (() => void) | null = null;
    const letGo = () => {
      clearTimeout(timer);
      release?.();
      release = null;
    };
    const onHand = () => {
      clearTimeout(timer);
      timer = setTimeout(letGo, QUIET_MS);
      release ??= holdLive();
    };
    for (const event of HANDS) element?.addEventListener(event, onHand);
    element?.addEventListener('pointerleave', letGo);
    return () => {
      for (const event of HANDS) element?.removeEventListener(event, onHand);
      element?.removeEventListener('pointerleave', letGo);
      letGo();
    };
  }, [table]);
  return further;
}
