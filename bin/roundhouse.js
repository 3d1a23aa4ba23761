#!/usr/bin/env node
// Old syntax on purpose: a Node that is too old must get as far as the sentence that says so.
import { existsSync } from 'fs';
import { fileURLToPath } from 'url';
import { nodeVersionProblem } from './node-version.js';

// What is still open after the end of a command (a connection that was kept) must not keep the program alive.
var LEAVE_AFTER_MS = 1000;

var problem = nodeVersionProblem(process.versions.node);
if (problem === '') {
  run();
} else {
  process.stderr.write(problem + '\n');
  process.exitCode = 1;
}

function run() {
  // The sources are there in the repository only; Node reads them as they are.
  var source = new URL('../src/cli/main.ts', import.meta.url);
  var built = new URL('../dist/cli/main.js', import.meta.url);
  import(existsSync(fileURLToPath(source)) ? source.href : built.href)
    .then(function (main) {
      return main.runCli(process.argv.slice(2));
    })
    .then(
      function (exitCode) {
        process.exitCode = exitCode;
        setTimeout(function () {
          process.exit(exitCode);
        }, LEAVE_AFTER_MS).unref();
      },
      function (error) {
        process.stderr.write('Roundhouse could not start: ' + error.message + '\n');
        process.exitCode = 1;
      },
    );
}
