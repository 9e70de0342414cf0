# shellcheck shell=bash disable=SC2034 # its names are for the others
# Read by the other scripts: how they speak, and what they know of each other's files.

# Where one step leaves word for the next; Cloud Build keeps the folder for the whole build.
STATE=.deploy
mkdir -p "$STATE"
# What preflight found chosen wins over what the build was given, which it has compared.
# shellcheck source=/dev/null
[[ ! -f $STATE/choices ]] || source "$STATE/choices"

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

# Moves traffic: all flags after the name of the service.
move() {
  local service=$1
  shift
  gcloud run services update-traffic "$service" --project="$PROJECT" --region="$REGION" --quiet "$@"
}
