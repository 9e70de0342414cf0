import { customRoles, googleRoles } from './roles.ts';

type Values = Readonly<Record<string, unknown>>;

/** What one account may do where: `project`, or the name of a topic, subscription or service. */
export type Allowed = ReadonlyMap<string, ReadonlySet<string>>;

/** Where a grant holds, by the argument of the resource that makes it. */
const PLACES = ['topic', 'subscription', 'secret_id', 'name'] as const;

/** Everything that a plan lets an account do, by Google's roles and our own. */
export function allowedTo(account: string, plan: ReadonlyMap<string, Values>): Allowed {
  const { permissions } = googleRoles();
  const custom = customRoles();
  const allowed = new Map<string, Set<string>>();
  for (const [address, grant] of plan) {
    if (!address.includes('_iam_member.')) continue;
    if (!String(grant['member']).startsWith(`serviceAccount:distrise-${account}@`)) continue;
    const role = String(grant['role']);
    const place = PLACES.map((each) => grant[each]).find((each) => typeof each === 'string');
    const where =
      String(place ?? 'project')
        .split('/')
        .at(-1) ?? '';
    const all = allowed.get(where) ?? new Set<string>();
    for (const each of permissions[role] ?? custom[role.split('/').at(-1) ?? ''] ?? [])
      all.add(each);
    allowed.set(where, all);
  }
  return allowed;
}
