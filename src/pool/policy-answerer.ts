import type {
  Answerer,
  ClientToolCall,
  ClientToolResult,
  PermissionDecision,
  PermissionRequest,
} from '../contracts/answerer.ts';

/**
 * Answers for the operator, at once, where no client can: every request is denied, and the model is told why, so that it
 * can go on without the tool.
 */
export class PolicyAnswerer implements Answerer {
  decide(request: PermissionRequest): Promise<PermissionDecision> {
    const message = `Permission to use ${request.toolName} was denied by the server's policy: nobody can be asked on this session. Go on without it.`;
    return Promise.resolve({ behavior: 'deny', message });
  }

  callTool(call: ClientToolCall): Promise<ClientToolResult> {
    const text = `The tool ${call.toolName} is not available: no client answers tool calls on this session.`;
    return Promise.resolve({ content: [{ type: 'text', text }], isError: true });
  }
}
