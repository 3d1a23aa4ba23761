/** How a turn ended for its client. */
export interface TurnOutcome {
  readonly kind:
    | 'end_turn'
    | 'failed'
    | 'refused'
    | 'interrupted'
    | 'action_required'
    | 'budget_reached'
    | 'session_deleted';
  /** Why, where there is more to say. */
  readonly message?: string;
}
