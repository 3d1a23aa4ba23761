import { measureAppend } from './append.ts';
import { measureCurve } from './curve.ts';
import { measureHotSession } from './hot-session.ts';
import { serveSuite } from '../suite.ts';

serveSuite(async ({ folder, quick }) => [
  ...(await measureHotSession(folder, quick)),
  ...(await measureCurve(quick)),
  ...(await measureAppend(folder, quick)),
]);
