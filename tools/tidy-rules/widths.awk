# A line has at most 100 columns; a tab goes on to the next multiple of 8.
{
	# What follows the first byte of a UTF-8 character takes no column.
	gsub(/[\200-\277]/, "")
	count = split($0, pieces, "\t")
	width = 0
	for (i = 1; i <= count; i++) {
		width += length(pieces[i])
		if (i < count)
			width += 8 - width % 8
	}
	if (width > 100)
		print FILENAME ":" FNR ": the line has " width " columns; 100 at most"
}
