const FIRST_MS = 5;
const LONGEST_MS = 1_000;

/** Waits before another attempt: twice as long each time, up to a second, and half of it by chance. */
export function pause(attempt: number): Promise<void> {
  const longest = Math.min(FIRST_MS * 2 ** Math.min(attempt, 20), LONGEST_MS);
  return new Promise((resolve) => setTimeout(resolve, longest * (0.5 + Math.random() / 2)));
}
