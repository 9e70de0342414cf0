/** What a query says and Cloud Monitoring, or this stand-in for it, does not know. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}
