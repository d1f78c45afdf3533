# Ask the system for one fact: the item of this task is a letter that uname knows.
# The second task finds its source busy at the first attempt. 75 says "try again" (sysexits.h).

letter=$(printf %s "$SWITCHYARD_ITEM" | tr -d '"')

if [ "$SWITCHYARD_TASK_INDEX" = 1 ] && [ "$SWITCHYARD_ATTEMPT" = 0 ]; then
    echo "the source is busy" >&2
    exit 75
fi

fact=$(uname "-$letter")
echo "uname -$letter says $fact"
printf '{"result": "%s"}\n' "$fact" > "$SWITCHYARD_REPORT"
