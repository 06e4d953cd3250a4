'use strict';
// Filters and sorts what is there already. Without it the page reads the same.
function makeUsable(form, body) {
  const rows = [...body.rows], shown = document.querySelector('#shown');
  function filter() {
    const text = form.text.value.trim().toLowerCase(), state = form.state.value;
    let count = 0;
    for (const row of rows) {
      const hit = (!state || row.dataset.s === state) && row.textContent.toLowerCase().includes(text);
      row.hidden = !hit;
      count += hit;
    }
    shown.textContent = count === rows.length ? '' : count + ' of ' + rows.length + ' shown';
  }
  function sort(column) {
    const key = row => row.cells[column]?.dataset.k ?? row.cells[column]?.textContent ?? '';
    const order = column === 0 ? rows.toSorted((a, b) => key(a).localeCompare(key(b))) :
      rows.toSorted((a, b) => key(a).localeCompare(key(b), 'en', {numeric: true}));
    if (body.rows[0] === order[0] && body.rows[rows.length - 1] === order[rows.length - 1]) order.reverse();
    body.append(...order);
  }
  form.hidden = false;
  form.addEventListener('input', filter);
  form.addEventListener('submit', event => event.preventDefault());
  document.querySelectorAll('th').forEach((cell, column) => {
    const button = document.createElement('button');
    button.textContent = cell.textContent;
    button.title = 'Sort by ' + cell.textContent;
    button.addEventListener('click', () => sort(column));
    cell.replaceChildren(button);
  });
}
const form = document.querySelector('form');
if (form) makeUsable(form, document.querySelector('tbody'));
// A page that was left open says so before somebody believes it.
const drawn = Date.now(), old = document.querySelector('#old');
setInterval(() => {
  const minutes = Math.floor((Date.now() - drawn) / 60000);
  if (minutes) old.textContent = ' · ' + minutes + ' min ago: reload to see what is so now';
}, 5000);
