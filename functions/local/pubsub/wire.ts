/**
 * The messages of google.pubsub.v1 as proto-loader hands them over: camel case, 64-bit numbers as
 * numbers, absent fields undefined. Only the fields that this server reads or writes.
 */

export interface Duration {
  readonly seconds?: number;
  readonly nanos?: number;
}

export interface WireMessage {
  readonly data?: Buffer;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
}

export interface WireTopic {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly messageRetentionDuration?: Duration;
  readonly schemaSettings?: object;
  readonly ingestionDataSourceSettings?: object;
  readonly messageTransforms?: readonly object[];
}

export interface PushConfig {
  readonly pushEndpoint?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly oidcToken?: { readonly serviceAccountEmail?: string; readonly audience?: string };
  readonly noWrapper?: object;
}

export interface WireSubscription {
  readonly name?: string;
  readonly topic?: string;
  readonly pushConfig?: PushConfig;
  readonly ackDeadlineSeconds?: number;
  readonly retainAckedMessages?: boolean;
  readonly messageRetentionDuration?: Duration;
  readonly labels?: Readonly<Record<string, string>>;
  readonly enableMessageOrdering?: boolean;
  readonly expirationPolicy?: { readonly ttl?: Duration };
  readonly filter?: string;
  readonly deadLetterPolicy?: {
    readonly deadLetterTopic?: string;
    readonly maxDeliveryAttempts?: number;
  };
  readonly retryPolicy?: { readonly minimumBackoff?: Duration; readonly maximumBackoff?: Duration };
  readonly enableExactlyOnceDelivery?: boolean;
  readonly bigqueryConfig?: object;
  readonly cloudStorageConfig?: object;
  readonly bigtableConfig?: object;
  readonly messageTransforms?: readonly object[];
}

/** A message on its way to a subscriber. */
export interface ReceivedMessage {
  readonly ackId: string;
  readonly message: WireMessage & {
    readonly messageId: string;
    readonly publishTime: { readonly seconds: number; readonly nanos: number };
  };
  /** 0 without a dead letter policy, as Google has it. */
  readonly deliveryAttempt: number;
}

export interface UpdateMask {
  readonly paths?: readonly string[];
}

export interface PageRequest {
  readonly project?: string;
  readonly topic?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

export interface StreamingPullRequest {
  readonly subscription?: string;
  readonly ackIds?: readonly string[];
  readonly modifyDeadlineSeconds?: readonly number[];
  readonly modifyDeadlineAckIds?: readonly string[];
  readonly streamAckDeadlineSeconds?: number;
  readonly maxOutstandingMessages?: number;
  readonly maxOutstandingBytes?: number;
}

/** A duration in milliseconds; `undefined` stays so. */
export function durationMs(duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined;
  return (duration.seconds ?? 0) * 1_000 + (duration.nanos ?? 0) / 1_000_000;
}
