import * as grpc from '@grpc/grpc-js';
import { loadProtocol } from '../../functions/local/pubsub/protocol.ts';

/**
 * A Pub/Sub that behaves as badly as a test needs: it never answers, answers with an error, falls
 * silent. The real client talks to it over a real connection. For everything that Pub/Sub does
 * when it works, tests use the local server.
 */

/** How a publish request is answered: a gRPC status, or never. */
export type PublishAnswer = 'ok' | 'never' | grpc.status;

export interface PublishRequest {
  readonly topic: string;
  readonly messages: readonly {
    readonly data: Buffer;
    readonly attributes: Readonly<Record<string, string>>;
  }[];
}

type PullStream = grpc.ServerDuplexStream<{ subscription?: string }, object>;

export interface Script {
  /** Asked for every publish request; the answer may be held back by the promise. */
  publish?(request: PublishRequest): PublishAnswer | Promise<PublishAnswer>;
  /** Called for every StreamingPull that a client opens. */
  pull?(stream: PullStream): void;
  /** Told of every acknowledgement. */
  acknowledged?(ackIds: readonly string[]): void;
  /** Told of every subscription that is deleted. */
  deleted?(subscription: string): void;
}

export interface ScriptedPubSub {
  /** `host:port`, for PUBSUB_EMULATOR_HOST. */
  readonly host: string;
  close(): void;
}

type Callback = grpc.sendUnaryData<object>;

/** Starts it on a free port of the loopback address. */
export async function startScriptedPubSub(script: Script): Promise<ScriptedPubSub> {
  const protocol = loadProtocol();
  const accepted = (_call: unknown, done: Callback) => done(null, {});
  const server = new grpc.Server();
  server.addService(protocol.publisher, {
    publish: (call: grpc.ServerUnaryCall<PublishRequest, object>, done: Callback) => {
      void answer(script, call.request, done);
    },
  });
  server.addService(protocol.subscriber, {
    createSubscription: accepted,
    deleteSubscription: (
      call: grpc.ServerUnaryCall<{ subscription: string }, object>,
      done: Callback,
    ) => {
      script.deleted?.(call.request.subscription);
      done(null, {});
    },
    acknowledge: (call: grpc.ServerUnaryCall<{ ackIds: string[] }, object>, done: Callback) => {
      script.acknowledged?.(call.request.ackIds);
      done(null, {});
    },
    streamingPull: (stream: PullStream) => script.pull?.(stream),
  });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { host: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}

async function answer(script: Script, request: PublishRequest, done: Callback): Promise<void> {
  const given = (await script.publish?.(request)) ?? 'ok';
  if (given === 'never') return;
  if (given === 'ok') done(null, { messageIds: request.messages.map((_, index) => `${index}`) });
  else done({ code: given, details: 'as the script says' });
}
