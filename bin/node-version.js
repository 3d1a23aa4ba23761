// Old syntax on purpose: this file must also be read by the Node versions that it turns away.

export var NEEDED_NODE = '22.18';

/** One sentence that says what to do when `found` (like `20.11.1`) is too old; an empty text when it is not. */
export function nodeVersionProblem(found) {
  var have = found.split('.').map(Number);
  var need = NEEDED_NODE.split('.').map(Number);
  if (have[0] > need[0] || (have[0] === need[0] && have[1] >= need[1])) return '';
  return (
    'Roundhouse needs Node ' +
    NEEDED_NODE +
    ' or newer and this is Node ' +
    found +
    ': in the repository start it with `npm start` after `npm ci` (they bring their own Node), else install a newer Node.'
  );
}
