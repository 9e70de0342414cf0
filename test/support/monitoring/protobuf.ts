import { createRequire } from 'node:module';
import { fromProto3JSON, toProto3JSON } from 'proto3-json-serializer';
import protobuf from 'protobufjs';
import { isObject, type Json, type JsonObject } from './json.ts';

const require = createRequire(import.meta.url);
const rootOf = (path: string) => protobuf.Root.fromJSON(require(path));
const monitoring = rootOf('@google-cloud/monitoring/build/protos/protos.json');
const dashboards = rootOf('@google-cloud/monitoring-dashboards/build/protos/protos.json');

/** Google's own definitions of what our files hold. */
export const MESSAGES = {
  dashboard: dashboards.lookupType('google.monitoring.dashboard.v1.Dashboard'),
  alert: monitoring.lookupType('google.monitoring.v3.AlertPolicy'),
  objective: monitoring.lookupType('google.monitoring.v3.ServiceLevelObjective'),
  uptime: monitoring.lookupType('google.monitoring.v3.UptimeCheckConfig'),
} as const;

/** What Google's definition would not take of a file: unknown fields, wrong types and enums. */
export function shapeFaults(type: protobuf.Type, json: JsonObject): string[] {
  type.resolveAll();
  const unknown = unknownFields(type, json, type.name);
  if (unknown.length > 0) return unknown;
  try {
    const message = fromProto3JSON(type, json as never);
    if (message === null) return [`${type.name} is null`];
    return lost(json, toProto3JSON(message) as Json, type.name);
  } catch (error) {
    return [(error as Error).message];
  }
}

/** protobufjs leaves out what it does not know, without a word. */
function unknownFields(type: protobuf.Type, json: Json, path: string): string[] {
  // Wrappers, durations and the like are plain values in JSON.
  if (!isObject(json) || type.fullName.startsWith('.google.protobuf.')) return [];
  const faults: string[] = [];
  const chosen = new Map<string, string>();
  for (const [key, value] of Object.entries(json)) {
    const field = type.fields[key];
    const at = `${path}.${key}`;
    if (field === undefined) {
      faults.push(`${at} is no field of ${type.name}`);
      continue;
    }
    const of = field.partOf?.name;
    // A field that is optional in proto3 is the only one of a group of its own.
    if (of !== undefined && !of.startsWith('_')) {
      const other = chosen.get(of);
      if (other !== undefined) faults.push(`${at} and ${other} exclude each other`);
      chosen.set(of, at);
    }
    if (!(field.resolvedType instanceof protobuf.Type) || field.map) continue;
    const next = field.resolvedType;
    const members = field.repeated && Array.isArray(value) ? value : [value];
    faults.push(
      ...members.flatMap((each, index) =>
        unknownFields(next, each as Json, field.repeated ? `${at}[${index}]` : at),
      ),
    );
  }
  return faults;
}

/** What did not come back; a default (0, false, empty) may be left out on the way. */
function lost(given: Json, back: Json | undefined, path: string): string[] {
  if (Array.isArray(given)) {
    const list = Array.isArray(back) ? back : [];
    return given.flatMap((each, index) => lost(each as Json, list[index], `${path}[${index}]`));
  }
  if (isObject(given)) {
    const object = isObject(back) ? back : {};
    return Object.entries(given).flatMap(([key, value]) =>
      lost(value, object[key], `${path}.${key}`),
    );
  }
  if (back === undefined && (given === 0 || given === false || given === '')) return [];
  if (Object.is(given, back)) return [];
  return [`${path}: ${JSON.stringify(given)} is read as ${JSON.stringify(back)}`];
}
