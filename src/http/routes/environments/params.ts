/** Parameters of every route on one environment. */
export interface EnvironmentParams {
  Params: { environmentId: string };
}
