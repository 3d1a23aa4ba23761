/** What the server counted, as `GET /metrics` says it. */
export class ServerMetrics {
  readonly #lines: readonly string[];

  private constructor(text: string) {
    this.#lines = text.split('\n');
  }

  static async read(url: string, key: string): Promise<ServerMetrics> {
    const response = await fetch(`${url}/metrics`, { headers: { 'x-api-key': key } });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} for the metrics: ${text}`);
    return new ServerMetrics(text);
  }

  /** Sum of a counter over all its labels, or over those lines that have these, as they stand there: `kind="new"`. */
  sum(name: string, ...labels: readonly string[]): number {
    return this.#lines
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => labels.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }
}
