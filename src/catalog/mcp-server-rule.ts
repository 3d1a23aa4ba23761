/** Which MCP servers agents may connect to, beside those of a list: none, those on the public internet, or all. */
export type McpServerAccess = 'off' | 'https' | 'any';

/** Ends of names that are not on the public internet. */
const PRIVATE_NAME =
  /\.(?:localhost|local|internal|intranet|lan|home|corp|private|home\.arpa|test|invalid)$/;

/**
 * Tells why agents may not connect to an MCP server, or undefined when they may. The connection is made from this host's own
 * network, so a URL of a client is a way into it: `https` takes only names that are not of a private network (an address
 * says nothing about who is there), and a certificate keeps such a name from leading to a machine that is not its owner's.
 * `hosts` (`name`, or `name:port`) may be reached whatever the rest says, by http too.
 */
export function mcpServerRule(
  access: McpServerAccess,
  hosts: readonly string[],
): (url: string) => string | undefined {
  const listed = new Set(hosts.map((host) => host.toLowerCase()));
  return (text) => {
    if (!URL.canParse(text)) return 'it is no URL';
    const url = new URL(text);
    if (!/^https?:$/.test(url.protocol)) return 'only http and https are spoken';
    if (listed.has(url.hostname) || listed.has(url.host)) return undefined;
    switch (access) {
      case 'any':
        return undefined;
      case 'off':
        return `${url.host} is not one of the hosts that the operator allows (agent.mcpHosts), and others are switched off (agent.mcpServers)`;
      case 'https':
        if (url.protocol !== 'https:')
          return `http is only for hosts that the operator allows (agent.mcpHosts); use https`;
        if (isPublicName(url.hostname)) return undefined;
        return `${url.hostname} is an address, or a name of a private network: only for hosts that the operator allows (agent.mcpHosts)`;
      default:
        return access satisfies never;
    }
  };
}

/** A name with a dot that is no address; a URL has every form of an IPv4 address as four numbers. */
function isPublicName(hostname: string): boolean {
  const name = hostname.replace(/\.$/, '');
  if (name.startsWith('[') || /^[\d.]+$/.test(name)) return false;
  return name.includes('.') && !PRIVATE_NAME.test(name);
}
