/** The mark: the curve through the first squares. */
export function Logo() {
  return (
    <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
      <path
        d="M3 25A19 19 0 0 1 18 9A9 9 0 0 1 28 18A7 7 0 0 1 21 25A5 5 0 0 1 16 20A3.500 3.500 0 0 1 19.500 16.500"
        fill="none"
        stroke="var(--accent)"
        strokeWidth="3"
        strokeLinecap="round"
      />
    </svg>
  );
}
