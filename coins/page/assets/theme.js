// Light or dark: what the system says, until somebody says otherwise.
(() => {
  const KEY = 'coins.theme';
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;
  let chosen = null;
  try {
    chosen = localStorage.getItem(KEY);
  } catch {
    // A browser that keeps nothing follows the system.
  }
  if (chosen === 'dark' || chosen === 'light') root.dataset.theme = chosen;

  const current = () => root.dataset.theme ?? (dark.matches ? 'dark' : 'light');
  const other = () => (current() === 'dark' ? 'light' : 'dark');

  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    const tell = () => {
      button.textContent = other() === 'dark' ? 'Dark' : 'Light';
      button.setAttribute('aria-label', `Use ${other()} colours`);
      document.dispatchEvent(new Event('theme'));
    };
    button.addEventListener('click', () => {
      root.dataset.theme = other();
      try {
        localStorage.setItem(KEY, root.dataset.theme);
      } catch {
        // It holds until the page is left.
      }
      tell();
    });
    dark.addEventListener('change', tell);
    tell();
  });
})();
