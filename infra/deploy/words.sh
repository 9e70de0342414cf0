# shellcheck shell=bash disable=SC2034 # its names are for the others
# Read by the other scripts: how they speak, and what they know of each other's files.

# Where one step leaves word for the next; Cloud Build keeps the folder for the whole build.
STATE=.deploy
[[ -z ${BUILD:-} ]] || mkdir -p "$STATE"
# What preflight found chosen wins over what the build was given, which it has compared.
# shellcheck source=/dev/null
[[ -z ${BUILD:-} || ! -f $STATE/choices ]] || source "$STATE/choices"

say() {
  printf '%s\n' "$*"
}

# Ends the step: what went wrong, and what to do.
stop() {
  printf '\nSTOPPED: %s\n' "$1" >&2
  shift
  printf '  %s\n' "$@" >&2
  exit 1
}

SERVES_ON='The version that served before serves on: no traffic was moved.'
AGAIN='Then run the same command again; what is done already is not done twice.'

# Traffic of a service, a line an entry: tag,percent,revision,url.
traffic() {
  gcloud run services describe "$1" --project="$PROJECT" --region="$REGION" \
    --flatten='status.traffic[]' \
    --format='csv[no-heading](status.traffic.tag,status.traffic.percent,status.traffic.revisionName,status.traffic.url)'
}

# The revision behind a tag, or nothing.
tagged() {
  awk -F, -v tag="$1" '$1 == tag { print $3 }'
}

# Gives a service's traffic to revisions: REVISION=PERCENT, by commas. gcloud fails as well where a
# newer revision could not start, though the traffic has moved; so what counts is what serves.
# Its last command decides, so it may stand before ||.
move() {
  gcloud run services update-traffic "$1" --project="$PROJECT" --region="$REGION" --quiet \
    --to-revisions="$2" >/dev/null ||
    { traffic "$1" | serves "$2" && say "$1 has moved all the same: $2"; }
}

# Whether the entries of a service are these shares of its traffic and no others.
serves() {
  awk -F, -v wanted="$1" '
    $2 + 0 > 0 { share[$3] += $2 }
    END {
      left = split(wanted, pairs, ",")
      for (i in pairs) { split(pairs[i], pair, "="); if (share[pair[1]] == pair[2]) { left--; delete share[pair[1]] } }
      for (other in share) left++
      exit left > 0
    }'
}

# The names of the worker pools; none of them is no failure.
pools() {
  gcloud beta run worker-pools list --project="$PROJECT" --region="$REGION" \
    --format='value(metadata.name)'
}

# Gives all instances of the worker `follow` to one of its revisions.
follow_as() {
  gcloud beta run worker-pools update-instance-split follow --project="$PROJECT" --region="$REGION" \
    --quiet --to-revisions="$1=100" >/dev/null
}
