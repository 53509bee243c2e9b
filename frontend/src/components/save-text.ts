/** Saves a text that the page holds as a file. */
export function saveText(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has its own hold on the data after a moment.
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, 10_000);
}
