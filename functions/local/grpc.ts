import {
  type Metadata,
  type Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { Log } from '../cloud/log.ts';

/** What the local servers of Google's gRPC interfaces have in common. */

/** An answer other than OK, as gRPC carries it. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: status;
  /** The text that gRPC sends to the client. */
  readonly details: string;
  /** What else goes with it, such as Google's error details. */
  readonly metadata?: Metadata;

  constructor(code: status, details: string, metadata?: Metadata) {
    super(details);
    this.code = code;
    this.details = details;
    if (metadata !== undefined) this.metadata = metadata;
  }
}

export const invalidArgument = (details: string) =>
  new StatusError(status.INVALID_ARGUMENT, details);

export type Call<Request> = ServerUnaryCall<Request, object>;

/** A method from what it does; what it throws becomes the answer's status. */
export function unary<Request>(
  log: Log,
  work: (request: Request, call: Call<Request>) => object | Promise<object>,
) {
  return (call: Call<Request>, callback: sendUnaryData<object>): void => {
    const fail = (error: unknown) => callback(statusOf(error, log), null);
    try {
      const answer = work(call.request, call);
      if (answer instanceof Promise) answer.then((value) => callback(null, value), fail);
      else callback(null, answer);
    } catch (error) {
      fail(error);
    }
  };
}

/** What is no status of ours is a fault of this server: the log has it, the client a word. */
function statusOf(error: unknown, log: Log): StatusError {
  if (error instanceof StatusError) return error;
  log.error('call failed', { error });
  return new StatusError(status.INTERNAL, 'The local server failed; its log says why.');
}

/** On the loopback interface only: these servers ask nobody who they are. */
export function listenOnLoopback(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
}

/** How long calls in progress may take to end once their streams were told to. */
const STOP_MS = 1_000;

/** Ends the server; calls in progress may finish, if they do so soon. */
export function stopServer(server: Server, endStreams: () => void = () => undefined) {
  return new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, STOP_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
    endStreams();
  });
}
