import { createRequire } from 'node:module';
import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/**
 * The services of google.pubsub.v1, from the definitions that the client library ships: server and
 * client cannot differ.
 */
export function loadProtocol(): { publisher: ServiceDefinition; subscriber: ServiceDefinition } {
  const require = createRequire(import.meta.url);
  const json = require('@google-cloud/pubsub/build/protos/protos.json') as Parameters<
    typeof fromJSON
  >[0];
  const root = loadPackageDefinition(fromJSON(json, { longs: Number, enums: String }));
  return {
    publisher: service(root, 'Publisher'),
    subscriber: service(root, 'Subscriber'),
  };
}

function service(root: ReturnType<typeof loadPackageDefinition>, name: string): ServiceDefinition {
  let node: unknown = root;
  for (const part of ['google', 'pubsub', 'v1', name]) {
    node = (node as Record<string, unknown> | undefined)?.[part];
  }
  if (typeof node === 'function' && 'service' in node) return node.service as ServiceDefinition;
  throw new Error(`@google-cloud/pubsub ships no definition of google.pubsub.v1.${name}`);
}
