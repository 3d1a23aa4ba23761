/** Where a value comes from; `name` says it to a person: `--port`, `ROUNDHOUSE_SERVER_PORT`, `my.yaml:3:5`. */
export interface Origin {
  readonly source: 'flag' | 'environment' | 'file' | 'default';
  readonly name: string;
}
