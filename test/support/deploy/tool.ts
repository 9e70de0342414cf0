/** What a tool ends with, besides its own usage. */
export class ToolFailure extends Error {}

export const lines = (list: readonly string[]): string => list.join('\n');

/** The name, where it is one of these. */
export function existing(list: readonly string[], name: string | undefined): string {
  if (name === undefined || !list.includes(name)) {
    throw new ToolFailure(`NOT_FOUND: ${name} was not found`);
  }
  return name;
}
