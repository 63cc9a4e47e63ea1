//go:build !purego

package codec

// planeGroup is how many elements the kernels join at a time.
const planeGroup = 32

// joinPlanesVector joins whole groups, and gives the number of elements.
func joinPlanesVector(dst, low, high []byte) int {
	groups := len(low) / planeGroup
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	n := groups * planeGroup
	_, _ = dst[2*n-1], high[n-1]
	joinPlanesAVX2(&dst[0], &low[0], &high[0], groups)
	return n
}

// joinWideVector is joinPlanesVector for elements of four bytes.
func joinWideVector(dst, low, high, units []byte) int {
	groups := len(low) / planeGroup
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	n := groups * planeGroup
	_, _, _ = dst[4*n-1], high[n-1], units[2*n-1]
	joinWideAVX2(&dst[0], &low[0], &high[0], &units[0], groups)
	return n
}
