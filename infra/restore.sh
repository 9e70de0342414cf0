#!/usr/bin/env bash
# Brings the events back as they were, into a new instance of the database beside the old one.
#   infra/restore.sh --project=ID --time=2026-11-25T02:55:00Z [--from=INSTANCE]
#   infra/restore.sh --project=ID --backup=projects/ID/backups/… (gcloud sql backups list shows them)
#   infra/restore.sh --project=ID --instance=NAME --since=TIME   (one that is there already)
# The next "gcloud builds submit" points everything at it, and gives store once more what was accepted
# since an hour before that time (--since=TIME for another one); nothing is stored twice. The old
# instance stays as it is. It says what it will do and asks; --yes answers for you. Safe to run again.
set -euo pipefail
((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || { printf 'restore.sh: needs bash 4.4 or newer (macOS: brew install bash), or Cloud Shell\n' >&2 && exit 1; }

PROJECT='' yes='' at='' from='' backup='' new='' since=''
here=$(dirname "${BASH_SOURCE[0]}")

stop() {
  printf 'restore.sh: %s\n' "$@" >&2
  exit 1
}

usage() {
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

for argument in "$@"; do
  case $argument in
  --project=*) PROJECT=${argument#*=} ;;
  --time=*) at=${argument#*=} ;;
  --from=*) from=${argument#*=} ;;
  --backup=*) backup=${argument#*=} ;;
  --instance=*) new=${argument#*=} ;;
  --since=*) since=${argument#*=} ;;
  --yes) yes=yes ;;
  *) usage ;;
  esac
done
[[ -n $PROJECT ]] || usage
[[ -n $at && -z $backup$new || -n $backup && -z $at$new || -n $new && -z $at$backup && -n $since ]] || usage
for time in "$at" "$since"; do
  [[ $time =~ ^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$ ]] ||
    stop "\"$time\" is no time such as 2026-11-25T02:55:00Z (UTC)"
done
# shellcheck source=infra/deploy/choices.sh
source "$here/deploy/choices.sh"

# GNU's date, else that of BSD.
seconds() {
  date -u -d "$1" +%s 2>/dev/null || date -u -j -f '%Y-%m-%dT%H:%M:%SZ' "$1" +%s
}

written() {
  TZ=UTC printf '%(%Y-%m-%dT%H:%M:%SZ)T' "$1"
}

now=$(date +%s)
# How long the topic `incoming` keeps what was accepted (pubsub.tf).
kept_since=$((now - 7 * 24 * 3600))

stands=$(read_choices)
[[ -n $stands ]] || stop "Nothing is deployed in $PROJECT as far as $(state_bucket) says."
for name in "${CHOICES[@]}"; do printf -v "$name" %s "$(choice "$name" <<<"$stands")"; done
source=${from:-$DATABASE}

if [[ -n $backup ]]; then
  at=$(gcloud sql backups describe "$backup" --project="$PROJECT" --format='value(backupInterval.startTime)') ||
    stop 'There is no such backup.' "See: gcloud sql backups list --filter=instance:$source --project=$PROJECT"
  [[ $at =~ ^([0-9-]+T[0-9:]+)(\.[0-9]+)?Z$ ]] || stop "The backup does not say when it was made, but \"$at\"."
  at=${BASH_REMATCH[1]}Z
fi
if [[ -n $at ]]; then
  (($(seconds "$at") < now)) || stop "$at has not been yet."
  new=distrise-${at//[^0-9]/}
  # What waited in the queue at that time was accepted before.
  [[ -n $since ]] || since=$(written $(($(seconds "$at") - 3600)))
fi
[[ $new =~ ^distrise(-[a-z0-9-]{1,40})?$ ]] || stop "\"$new\" is none of our instances: distrise, distrise-…"

state_of() {
  gcloud sql instances list --project="$PROJECT" --filter="name=$1" --format='value(state)' ||
    stop 'The instances of Cloud SQL cannot be listed.'
}

make() {
  case $(state_of "$new") in
  RUNNABLE) return ;;
  '') ;;
  *) stop "$new is being made. Run the same command again in some minutes." ;;
  esac
  if [[ -n $backup ]]; then
    gcloud sql backups restore "$backup" --project="$PROJECT" --restore-instance="$new" --quiet
  else
    gcloud sql instances clone "$source" "$new" --project="$PROJECT" --point-in-time="$at"
  fi || stop "$new could not be made, and nothing else was done." \
    'Is the time older than the logs (log_days of the profile)? Then take a backup:' \
    "gcloud sql backups list --filter=instance:$source --project=$PROJECT" \
    'Is it only slow? Run the same command again.'
}

# An earlier restore that no build has finished: what it had to give again stays to be given.
waiting() {
  local listed
  listed=$(gcloud storage ls "$(state_bucket)") || stop "$(state_bucket) cannot be read."
  ! grep -qxF "$(state_bucket)/replay" <<<"$listed" || gcloud storage cat "$(state_bucket)/replay"
}

earlier=$(waiting)
[[ -z $earlier || ! $earlier < $since ]] || since=$earlier

if [[ -z $at ]]; then
  printf 'In the project %s, the instance %s takes the place of %s.\n' "$PROJECT" "$new" "$DATABASE"
else
  printf 'In the project %s this makes the instance %s, as %s was at %s.\n' "$PROJECT" "$new" "${backup:-$source}" "$at"
  printf 'It takes minutes to an hour, and costs what the other one costs as long as both are there.\n'
fi
printf '%s\n' "$DATABASE stays as it is, and serves until the next build. That one points everything at" \
  "$new and gives store again what was accepted since $since."
(($(seconds "$since") >= kept_since)) ||
  printf '%s\n' "NOT ALL OF THAT IS LEFT: the queue keeps seven days, so what was accepted before $(written $kept_since)" \
    "and is not in $new is missing afterwards. It is in $DATABASE as long as you keep that, and in the" \
    'archive, where one is kept (README, "The archive").'
if [[ -z $yes ]]; then
  read -r -p 'Type yes to go on: ' answer
  [[ $answer == yes ]] || stop 'Nothing was done.'
fi

if [[ -n $at ]]; then make; fi
[[ $(state_of "$new") == RUNNABLE ]] || stop "There is no running instance $new."
# In this order: to give it again without need does no harm.
printf '%s\n' "$since" | put replay
old=$DATABASE DATABASE=$new
write_choices
printf '%s\n' '' "$new is there. Now, with the checkout of the version that runs:" \
  "  gcloud builds submit --project=$PROJECT" \
  'Do not use infra/rollback.sh after it before one more release: the version before knows the old instance.' \
  "Back: infra/restore.sh --project=$PROJECT --instance=$old --since=$(written "$now")"
