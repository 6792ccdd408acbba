# How long functions and files may get. clang-format puts the brace of a function, and of nothing
# else, alone at the start of a line.
BEGIN {
	function_lines_max = 70
	file_lines_max = 600
}

FNR == 1 {
	start = 0
}

/^{/ {
	start = FNR
}

/^}/ && start {
	if (FNR - start + 1 > function_lines_max)
		print FILENAME ":" start ": a function of " FNR - start + 1 " lines; " \
			function_lines_max " at most"
	start = 0
}

FNR == file_lines_max + 1 {
	print FILENAME ":" FNR ": a file has " file_lines_max " lines at most"
}
