/** Copy and download of a completed job's whole output, also when only its two ends are on the screen. */
import { ActionIcon } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import type { ReactElement } from 'react';
import { downloadUrl, fetchOutputText } from '../api/jobs';
import type { Job } from '../api/types';
import { CopyButton } from '../components/copy-button';

export function OutputActions({ job, what }: { readonly job: Job; readonly what: string }): ReactElement {
  return (
    <>
      <CopyButton what={what} load={() => (typeof job.output === 'string' ? job.output : fetchOutputText(job.id))} />
      <ActionIcon
        component="a"
        size={36}
        href={downloadUrl(job.id)}
        download
        title={`Download ${what}`}
        aria-label={`Download ${what}`}
      >
        <IconDownload size={18} />
      </ActionIcon>
    </>
  );
}
