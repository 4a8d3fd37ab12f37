#compdef dlexp
# Completion of `dlexp` in zsh. In ~/.zshrc: eval "$(dlexp completion zsh)"

_dlexp() {
    local line
    local -a lines begun begun_text whole whole_text
    lines=("${(@f)$("${(Q)words[1]/#\~/$HOME}" completion zsh -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    for line in "${(@)lines:#}"; do
        case ${line%%$'\t'*} in
        *[=./])
            begun+=("${line%%$'\t'*}")
            begun_text+=("${line/$'\t'/  -- }")
            ;;
        *)
            whole+=("${line%%$'\t'*}")
            whole_text+=("${line/$'\t'/  -- }")
            ;;
        esac
    done
    if (($#begun + $#whole == 0)); then
        compset -P '*='
        _files
        return
    fi
    (($#begun)) && compadd -l -S '' -d begun_text -a begun
    (($#whole)) && compadd -l -d whole_text -a whole
}

if [[ $funcstack[1] == _dlexp ]]; then # autoloaded from a folder of fpath
    _dlexp "$@"
else
    (($+functions[compdef])) || { autoload -Uz compinit && compinit; }
    compdef _dlexp dlexp
fi
