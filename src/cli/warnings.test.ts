import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { showWarnings } from './warnings.ts';

test('a warning is printed once, unless it is about what is meant', () => {
  const process = new EventEmitter();
  const printed: string[] = [];
  process.on('warning', () => printed.push('as Node would'));
  showWarnings(process, (text) => printed.push(text));
  const meant = Object.assign(new Error('shadowed'), { code: 'CLAUDE_SDK_CAN_USE_TOOL_SHADOWED' });
  for (const warning of [meant, new Error('too many listeners')]) process.emit('warning', warning);
  expect(printed).toEqual(['Error: too many listeners\n']);
});
