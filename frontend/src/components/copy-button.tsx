/** Copies a text, or what `load` brings, and says whether that worked. */
import { ActionIcon } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconCopy } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { copyText } from './clipboard';

interface Props {
  /** What is copied: "F(90)". */
  readonly what: string;
  readonly load: () => string | Promise<string>;
}

type Phase = 'idle' | 'loading' | 'copied' | 'failed';

const SHOWN_MS = 2000;

export function CopyButton({ what, load }: Props) {
  const [phase, setPhase] = useState<Phase>('idle');

  useEffect(() => {
    if (phase !== 'copied' && phase !== 'failed') return undefined;
    const timer = setTimeout(() => {
      setPhase('idle');
    }, SHOWN_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [phase]);

  const copy = async () => {
    setPhase('loading');
    try {
      await copyText(await load());
      setPhase('copied');
    } catch {
      setPhase('failed');
    }
  };

  return (
    <>
      <ActionIcon
        size={36}
        title={`Copy ${what}`}
        aria-label={`Copy ${what}`}
        loading={phase === 'loading'}
        onClick={() => {
          void copy();
        }}
      >
        {phase === 'copied' ? (
          <IconCheck size={18} color="var(--state-good)" />
        ) : phase === 'failed' ? (
          <IconAlertTriangle size={18} color="var(--state-bad)" />
        ) : (
          <IconCopy size={18} />
        )}
      </ActionIcon>
      <span className="visually-hidden" role="status">
        {phase === 'copied' ? `${what} copied.` : phase === 'failed' ? `${what} could not be copied.` : ''}
      </span>
    </>
  );
}
