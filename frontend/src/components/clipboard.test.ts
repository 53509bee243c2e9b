import { afterEach, expect, test, vi } from 'vitest';
import { copyText } from './clipboard';

afterEach(() => {
  Reflect.deleteProperty(navigator, 'clipboard');
  Reflect.deleteProperty(document, 'execCommand');
});

function givenClipboard(writeText: (text: string) => Promise<void>) {
  Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText } });
}

/** What the old way would have copied: the selected text of the page. */
function givenExecCommand(works: boolean) {
  const copied: string[] = [];
  Object.defineProperty(document, 'execCommand', {
    configurable: true,
    value: () => {
      const area = document.activeElement;
      if (area instanceof HTMLTextAreaElement) copied.push(area.value.slice(area.selectionStart, area.selectionEnd));
      return works;
    },
  });
  return copied;
}

test('uses the clipboard of the browser', async () => {
  const writeText = vi.fn(() => Promise.resolve());
  givenClipboard(writeText);
  await copyText('832040');
  expect(writeText).toHaveBeenCalledWith('832040');
});

test('on plain HTTP, where there is none, selects and copies', async () => {
  const copied = givenExecCommand(true);
  await copyText('832040');
  expect(copied).toEqual(['832040']);
  expect(document.querySelector('textarea')).toBeNull();
});

test('falls back when the browser refuses', async () => {
  givenClipboard(() => Promise.reject(new Error('no permission')));
  const copied = givenExecCommand(true);
  await copyText('832040');
  expect(copied).toEqual(['832040']);
});

test('says so when nothing works, and gives the focus back', async () => {
  givenExecCommand(false);
  const button = document.body.appendChild(document.createElement('button'));
  button.focus();
  await expect(copyText('832040')).rejects.toThrow('did not allow');
  expect(document.activeElement).toBe(button);
  button.remove();
});
