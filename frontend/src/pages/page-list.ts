/** The pages that the navigation leads to, in its order, each with the letter that follows `g`. */
export const PAGES = [
  { to: '/', name: 'Fibonacci', letter: 'f' },
  { to: '/overview', name: 'Overview', letter: 'o' },
  { to: '/jobs', name: 'Jobs', letter: 'j' },
  { to: '/failures', name: 'Failures', letter: 'x' },
  { to: '/batches', name: 'Batches', letter: 'b' },
  { to: '/queues', name: 'Queues', letter: 'q' },
  { to: '/workers', name: 'Workers', letter: 'w' },
  { to: '/schedules', name: 'Schedules', letter: 's' },
  { to: '/functions', name: 'Functions', letter: 'u' },
  { to: '/audit', name: 'Audit', letter: 'a' },
] as const;
