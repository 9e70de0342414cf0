import { createRequire } from 'node:module';
import { loadPackageDefinition, Metadata, type ServiceDefinition, status } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { StatusError } from '../grpc.ts';

/** What went wrong with part of a call, as google.monitoring.v3.CreateTimeSeriesSummary has it. */
export interface WriteSummary {
  readonly totalPointCount: number;
  readonly successPointCount: number;
  readonly errors: readonly { readonly reason: string; readonly pointCount: number }[];
}

export interface Protocol {
  readonly metricService: ServiceDefinition;
  /** INVALID_ARGUMENT with the summary in its details, where Google's clients look for it. */
  partialFailure(message: string, summary: WriteSummary): StatusError;
}

/**
 * google.monitoring.v3.MetricService from the definitions that the client library ships: server
 * and client cannot differ.
 */
export function loadProtocol(): Protocol {
  const require = createRequire(import.meta.url);
  const json = require('@google-cloud/monitoring/build/protos/protos.json') as {
    nested: object;
  };
  const root = loadPackageDefinition(
    fromJSON({ nested: { ...json.nested, ...ERROR_DETAILS } } as Parameters<typeof fromJSON>[0], {
      longs: Number,
      enums: String,
    }),
  );
  const details = service(root, ['distrise', 'ErrorDetails']);
  return {
    metricService: service(root, ['google', 'monitoring', 'v3', 'MetricService']),
    partialFailure: (message, summary) => partialFailure(details, message, summary),
  };
}

/** Messages that no method takes or gives get their encoders from a service that nobody calls. */
const ERROR_DETAILS = {
  distrise: {
    nested: {
      ErrorDetails: {
        methods: {
          status: {
            requestType: '.google.rpc.Status',
            responseType: '.google.rpc.Status',
          },
          summary: {
            requestType: '.google.monitoring.v3.CreateTimeSeriesSummary',
            responseType: '.google.monitoring.v3.CreateTimeSeriesSummary',
          },
        },
      },
    },
  },
};

const SUMMARY_TYPE = 'type.googleapis.com/google.monitoring.v3.CreateTimeSeriesSummary';

function partialFailure(
  details: ServiceDefinition,
  message: string,
  { totalPointCount, successPointCount, errors }: WriteSummary,
): StatusError {
  const code = status.INVALID_ARGUMENT;
  const value = details['summary']?.requestSerialize({
    totalPointCount,
    successPointCount,
    errors: errors.map(({ reason, pointCount }) => ({
      status: { code, message: reason },
      pointCount,
    })),
  });
  const encoded = details['status']?.requestSerialize({
    code,
    message,
    details: [{ type_url: SUMMARY_TYPE, value }],
  });
  const metadata = new Metadata();
  if (encoded !== undefined) metadata.set('grpc-status-details-bin', encoded);
  return new StatusError(code, message, metadata);
}

function service(
  root: ReturnType<typeof loadPackageDefinition>,
  path: readonly string[],
): ServiceDefinition {
  let node: unknown = root;
  for (const part of path) node = (node as Record<string, unknown> | undefined)?.[part];
  if (typeof node === 'function' && 'service' in node) return node.service as ServiceDefinition;
  throw new Error(`@google-cloud/monitoring ships no definition of ${path.join('.')}`);
}
