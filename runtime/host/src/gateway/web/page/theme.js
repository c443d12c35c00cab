// Before anything is drawn: dark or light, as chosen here, else as the system is.
'use strict';
try {
  const chosen = localStorage.getItem('theme');
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
} catch { /* A browser that keeps nothing follows the system. */ }
