#!/usr/bin/env bash
# Lets one build at a time change the project: an object in the state bucket says which one.
#   lock.sh take    before anything is changed; from a build that has ended it is taken over
#   lock.sh leave   at the end
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh

lock=gs://$PROJECT-distrise-state/deployment.lock

# Writes the lock if it is still what was seen of it: the generation 0 is of none.
put() {
  gcloud storage cp "$STATE/lock" "$lock" --if-generation-match="$1" --quiet
}

generation() {
  gcloud storage objects describe "$lock" --format='value(generation)'
}

take() {
  local seen holder where since status
  printf '%s %s %s\n' "$BUILD" "$LOCATION" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$STATE/lock"
  if put 0 2>"$STATE/lock.said"; then return; fi
  seen=$(generation) || {
    cat "$STATE/lock.said" >&2
    stop "The lock $lock can be neither made nor read." \
      'Is the deployer allowed to? Run infra/bootstrap.sh again.' "$AGAIN" "$SERVES_ON"
  }
  read -r holder where since <<<"$(gcloud storage cat "$lock#$seen")"
  [[ $holder != "$BUILD" ]] || return 0
  status=$(gcloud builds describe "$holder" --project="$PROJECT" --region="$where" \
    --format='value(status)') ||
    stop "The build $holder holds the lock since $since, and whether it still runs cannot be seen." \
      "If it does not: gcloud storage rm $lock" "$AGAIN" "$SERVES_ON"
  case $status in
  SUCCESS | FAILURE | INTERNAL_ERROR | TIMEOUT | CANCELLED | EXPIRED) ;;
  *)
    stop "The build $holder changes this project since $since." \
      'Wait for it, or, where it must not go on:' \
      "  gcloud builds cancel $holder --project=$PROJECT --region=$where" \
      'One that was cancelled in its release leaves a share of the traffic on what is not checked yet: then' \
      "infra/rollback.sh --project=$PROJECT --region=$REGION --to=held, or:" "$AGAIN"
    ;;
  esac
  put "$seen" ||
    stop 'Another build took the lock in this moment.' "$AGAIN" "$SERVES_ON"
  say "Takes over from the build $holder, which has ended ($status)."
}

# One that stays is no harm: the next build takes it over.
leave() {
  local seen
  if ! seen=$(generation) ||
    [[ $(gcloud storage cat "$lock#$seen") != "$BUILD "* ]] ||
    ! gcloud storage rm "$lock" --if-generation-match="$seen" --quiet; then
    say "The lock $lock was not removed; the next build takes it over."
  fi
}

# Somebody may have chosen anew since preflight read it.
same_choices() {
  local now
  now=$(gcloud storage cat "gs://$PROJECT-distrise-state/choices") ||
    stop "What was chosen for $PROJECT cannot be read." "$AGAIN" "$SERVES_ON"
  [[ $now == "$(<"$STATE/choices")" ]] ||
    stop 'What was chosen for this project has changed since this build began.' "$AGAIN" "$SERVES_ON"
}

case $1 in
take)
  take
  same_choices
  ;;
leave) leave ;;
*) stop "lock.sh knows take and leave, not \"$1\"." ;;
esac
