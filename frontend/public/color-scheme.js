// Sets the colour scheme before the first paint, so that a dark page never flashes white.
(function () {
  var chosen = null;
  try {
    chosen = window.localStorage.getItem('spiral-color-scheme');
  } catch {
    // Storage is blocked: follow the system.
  }
  if (chosen !== 'light' && chosen !== 'dark') {
    chosen = window.matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  }
  document.documentElement.setAttribute('data-mantine-color-scheme', chosen);
})();
