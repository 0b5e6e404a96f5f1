import type { ErrorKind } from '../../shared/rest';

/** A request that was refused, or not answered at all. */
export class ApiError extends Error {
  /**
   * @param status - Of the answer; 0 if there was none.
   * @param kind - For programs; `network` without an answer.
   */
  constructor(
    readonly status: number,
    readonly kind: ErrorKind | 'network' | 'unknown',
    message: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** What an answer says that is not OK, whoever made it: ours, jupyter_server or a proxy. */
  static from(status: number, body: unknown): ApiError {
    const { kind, message } = (body ?? {}) as { kind?: ErrorKind; message?: unknown };
    const text = typeof message === 'string' && message !== '' ? message : `HTTP ${status}`;
    return new ApiError(status, kind ?? 'unknown', text);
  }

  static withoutAnswer(error: unknown): ApiError {
    return new ApiError(0, 'network', error instanceof Error ? error.message : String(error));
  }

  /** Whatever was thrown, as one of these. */
  static of(error: unknown): ApiError {
    return error instanceof ApiError ? error : ApiError.withoutAnswer(error);
  }
}
