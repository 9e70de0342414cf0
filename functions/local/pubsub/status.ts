import { status } from '@grpc/grpc-js';
import { invalidArgument, StatusError } from '../grpc.ts';

export { invalidArgument, StatusError };

/** The name that Google's messages show: the last part of `projects/p/topics/t`. */
const lastPart = (resource: string): string => resource.slice(resource.lastIndexOf('/') + 1);

export const notFound = (resource: string) =>
  new StatusError(status.NOT_FOUND, `Resource not found (resource=${lastPart(resource)}).`);

export const alreadyExists = (resource: string) =>
  new StatusError(
    status.ALREADY_EXISTS,
    `Resource already exists in the project (resource=${lastPart(resource)}).`,
  );

/** Google's words for a number above its limit. */
export const tooLarge = (what: string, given: number, max: number) =>
  invalidArgument(
    `The value for ${what} is too large. You passed ${given} in the request, but the maximum value is ${max}.`,
  );

/** Google's words for a number below its limit. */
export const tooSmall = (what: string, given: number, min: number) =>
  invalidArgument(
    `The value for ${what} is too small. You passed ${given} in the request, but the minimum value is ${min}.`,
  );

export const failedPrecondition = (details: string) =>
  new StatusError(status.FAILED_PRECONDITION, details);

/** For what Google offers and this server does not. */
export const notOffered = (what: string) =>
  new StatusError(status.UNIMPLEMENTED, `The local Pub/Sub does not offer ${what}.`);

export const unavailable = (details: string) => new StatusError(status.UNAVAILABLE, details);
