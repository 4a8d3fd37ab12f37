# Completion of `dlexp` in fish. In ~/.config/fish/config.fish: dlexp completion fish | source

function __dlexp_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($words[1] completion fish -- $words[2..] "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path "$current"
    end
end

complete -c dlexp -f -a '(__dlexp_complete)'
