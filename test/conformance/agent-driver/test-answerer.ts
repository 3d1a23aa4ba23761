import type {
  Answerer,
  ClientToolCall,
  ClientToolResult,
  PermissionDecision,
  PermissionRequest,
} from '../../../src/contracts/answerer.ts';
import { unlessAborted } from '../../../src/time/deadline.ts';

/** Answers as it is told at the moment. */
export class TestAnswerer implements Answerer {
  readonly requests: PermissionRequest[] = [];
  readonly calls: ClientToolCall[] = [];
  behavior: 'deny' | 'allow' | 'never' | 'throw' = 'deny';

  decide(request: PermissionRequest, signal: AbortSignal): Promise<PermissionDecision> {
    this.requests.push(request);
    switch (this.behavior) {
      case 'deny':
        return Promise.resolve({ behavior: 'deny', message: 'The policy says no.' });
      case 'allow':
        return Promise.resolve({ behavior: 'allow' });
      case 'never':
        return unlessAborted(new Promise<never>(() => {}), signal);
      case 'throw':
        return Promise.reject(new Error('secret detail of a defect'));
      default:
        return this.behavior satisfies never;
    }
  }

  callTool(call: ClientToolCall): Promise<ClientToolResult> {
    this.calls.push(call);
    const content = [{ type: 'text', text: 'The policy has no such tool.' }];
    return Promise.resolve({ content, isError: true });
  }
}
